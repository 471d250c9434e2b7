"""The console command ``mailstack``: the commands of mailstack without pyinfra's syntax.

It names no command itself. All that ``pyinfra INVENTORY mailstack.NAME`` can call is found by ``verbs``, and
its options are read off the function's signature and docstring.
"""
