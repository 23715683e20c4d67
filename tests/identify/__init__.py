"""Tests of leafid.identify, and the small bundle that they and others identify with."""
