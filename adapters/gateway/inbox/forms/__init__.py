"""Every message type as a form made from its schema: steps and fields, what was posted read into a message, errors in words.

Pure: no I/O, no clock.  What a schema can't say (which step a field stands in, what the machine fills, which words a question
uses) is data beside the code; a type that no data names still makes a whole form.
"""
