"""The softphone of the command line.

`session` decides, `views` show, `terminal` reads what is typed. Nothing in here knows of sockets: the phone is
`transports.sip.phone`.
"""
