"""Faults: mutated files, killed processes, full disks, changing inputs. ``make faults`` runs the long form."""
