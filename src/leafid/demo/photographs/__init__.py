"""Parts of drawn photographs: forms and looks of leaves, light, grounds, arrangements, camera. See `photograph`."""
