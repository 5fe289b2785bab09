"""Tenant A sees, changes and infers nothing of tenant B: the proof that every driver set must pass.

The walk goes over every route of the running app's OpenAPI document and every command of the
socket. It stands on three comparisons:

- whatever A asks with an id of B's gets the very answer that an unknown id gets;
- what B sees is the same before and after A has tried all of it;
- what A sees is the same before and after B has worked.

What the walk does not know (a new route, a new parameter, a new command) fails it, so that nobody
can forget to say here what belongs to a tenant.
"""
