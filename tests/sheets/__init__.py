"""Tests of leafid.sheets, and the drawings they share."""
