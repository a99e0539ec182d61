//! Every frame survives the wire, and nothing else is taken for one.
