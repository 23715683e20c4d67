"""Providers of public records (GBIF, iDigBio, Darwin Core Archives); names, licences and choice of media."""
