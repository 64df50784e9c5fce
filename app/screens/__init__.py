"""The pages. In a folder named `pages` beside the main script, Streamlit would run each file by itself."""
