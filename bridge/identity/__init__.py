"""Who: local SIP accounts, the people behind screen names, and the secrets of their network accounts.

Pure: values in, values out. ``snapshot`` answers on the path of a message; ``changes`` plans what the store writes.
"""
