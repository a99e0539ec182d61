//! The bridge: converts and forwards between JavaScript and `troupe-node`. It decides nothing.
