//! Addresses and names.
