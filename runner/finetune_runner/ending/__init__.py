"""How a process ends before its work does: asked to, out of time, hung, or by an exception."""
