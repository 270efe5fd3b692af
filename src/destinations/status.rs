//! What an HTTP status means where a destination says nothing special about it.
