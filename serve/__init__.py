"""The face: HTTP, WebSocket, console. Parse, call one function, render."""
