"""What is taken away from the page: writers of files, without streamlit."""
