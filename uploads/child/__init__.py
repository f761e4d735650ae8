"""The processes in which processors run: started without secrets, and isolated. No Django.

A worker starts one `template`, which has the processors loaded and forks a child for each file.
The child opens no file: it is handed open ones, and then gives up all rights (`isolation`).
"""
