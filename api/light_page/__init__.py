"""The light page, `GET /`: prices and the next hour for phones, frames and thousands of readers, without Streamlit."""
