"""Tests of leafid.trust."""
