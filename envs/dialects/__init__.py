"""How an agent's turn is written: one module per dialect, each with the same five names (`Form`).

A dialect knows about text only: what frames a call, an answer, a result. Whether a call names a tool and has arguments
that make sense is checked once for all of them, in `murk.envs.actions`.
"""
