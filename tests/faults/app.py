"""The real app with runs from its start on; `streamlit run` starts it, and a test kills it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import streamlit as st

from dpdash.web import server


def starting(start_runs: Callable[[], None]) -> Callable[[st.App], AbstractAsyncContextManager[None]]:
    """The app's own life, with runs that start once it is up."""

    @asynccontextmanager
    async def lifespan(app: st.App) -> AsyncIterator[None]:
        async with server.lifespan(app):
            await asyncio.to_thread(start_runs)
            yield

    return lifespan
