"""Routes of our own over HTTP: pictures in, pictures out, jobs, the library of what was made."""
