"""What several test areas share: small books built by hand, and a warehouse built from them without a landing zone."""
