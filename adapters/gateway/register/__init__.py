"""An agency's own register of children: what its gateway's messages opened, changed and closed, across threads.

The hub can't know whether two threads concern one child, so what crosses threads is watched for here.

Source: protocol 2; domain 2, 10 and 11.
"""
