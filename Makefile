# A thin wrapper: tools/bootstrap.py does the work and also runs where there is no make.
PYTHON ?= python3
PORT ?= 8501

.PHONY: help app test soak measure install

help:
	@echo "make app       set up and start the page (PORT=8501, PYTHON=python3)"
	@echo "make test      set up and run every check"
	@echo "make soak      run the long loops"
	@echo "make measure   time the page in a browser"
	@echo "make install   set up only"

app:
	@$(PYTHON) tools/bootstrap.py app --port $(PORT)

test soak measure install:
	@$(PYTHON) tools/bootstrap.py $@
