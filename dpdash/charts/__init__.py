"""Figures: plain numbers in, plotly specs out. Nothing here knows Streamlit or torch."""
