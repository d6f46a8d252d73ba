"""Files for download: what each kind of data holds, and how it is written as CSV or Parquet. No Streamlit."""
