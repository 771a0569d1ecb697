"""What `footnote demo` shows: real files, a renamed copy, and how an editor would draw them."""
