"""Parts of drawn photographs: stage, grounds, scene, arrangements, camera, truth. See `photograph`."""
