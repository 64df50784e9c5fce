"""The parts of the page about skill: the score card, the experiments, and skill against cost."""
