"""Fresh leaves of any form: outline and veins, the bend in space, look, light, pixels."""
