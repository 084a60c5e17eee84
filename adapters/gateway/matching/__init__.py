"""The at-risk list: police publish it unreadable, and a clinic matches those who attend against it, inside the clinic."""
