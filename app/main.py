"""The page's frame and navigation: `python -m streamlit run app/main.py` from the project's root."""

from importlib import import_module
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from app import session

HERE = Path(__file__).parent


def screen(name: str, title: str, icon: str) -> StreamlitPage:
    """The page of a file in `app/screens`, which is loaded when a person first turns to it: all take a second more."""

    def show() -> None:
        import_module(f"app.screens.{name}").show()

    return st.Page(show, title=title, icon=f":material/{icon}:", url_path=name, default=name == "forecast")


st.set_page_config(page_title="Coldcast", page_icon=str(HERE / "icon.svg"), layout="wide")
st.html(HERE / "style.css")
page = st.navigation(
    [
        screen("forecast", "Forecast", "air"),
        screen("members", "Members", "groups"),
        screen("probability", "Probability", "percent"),
        screen("verify", "Verify", "fact_check"),
        screen("compare", "Compare", "compare"),
        screen("skill", "Skill", "leaderboard"),
        screen("sampler", "Sampler", "footprint"),
        screen("data", "Data", "database"),
        screen("runs", "Runs", "history"),
        screen("about", "About", "info"),
    ],
    position="top",
)
session.enter(page.url_path)
page.run()
