"""The page's frame and navigation: `python -m streamlit run app/main.py` from the project's root."""

from pathlib import Path

import streamlit as st

from app import session
from app.screens import about, compare, data, forecast, members, probability, runs, sampler, skill, verify

HERE = Path(__file__).parent

st.set_page_config(page_title="Coldcast", page_icon=str(HERE / "icon.svg"), layout="wide")
st.html(HERE / "style.css")
page = st.navigation(
    [
        st.Page(forecast.show, title="Forecast", icon=":material/air:", default=True),
        st.Page(members.show, title="Members", icon=":material/groups:", url_path="members"),
        st.Page(probability.show, title="Probability", icon=":material/percent:", url_path="probability"),
        st.Page(verify.show, title="Verify", icon=":material/fact_check:", url_path="verify"),
        st.Page(compare.show, title="Compare", icon=":material/compare:", url_path="compare"),
        st.Page(skill.show, title="Skill", icon=":material/leaderboard:", url_path="skill"),
        st.Page(sampler.show, title="Sampler", icon=":material/footprint:", url_path="sampler"),
        st.Page(data.show, title="Data", icon=":material/database:", url_path="data"),
        st.Page(runs.show, title="Runs", icon=":material/history:", url_path="runs"),
        st.Page(about.show, title="About", icon=":material/info:", url_path="about"),
    ],
    position="top",
)
session.enter(page.url_path)
page.run()
