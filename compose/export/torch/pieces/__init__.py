"""What written files hold besides their network: each function stands by itself, but for others of this folder."""
