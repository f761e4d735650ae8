"""The processes in which processors run: started without secrets, and isolated. No Django.

A worker starts one `template`, which loads the processors before the first file and forks a
child for each. The child opens no file: it is handed open ones, and then gives up all rights
(`isolation`).
"""

LOAD = b"+"
"""What the worker sends to the template to have it load the processors, and its answer."""
