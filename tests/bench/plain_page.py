"""A page of plain Streamlit with two charts: what the dashboard's first paint is compared with."""

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

POINTS = pd.DataFrame({"x": [-1 + 2 * number / 199 for number in range(200)]})
POINTS["y"] = 3 * POINTS.x

st.set_page_config(page_title="Two charts", layout="wide")
st.title("Two charts")
st.sidebar.slider("Number", 1, 100, 10)
for column, name in zip(st.columns(2), ("loss", "fit"), strict=True):
    column.plotly_chart(go.Figure(go.Scatter(x=POINTS.x, y=POINTS.y, name=name)), key=name)
