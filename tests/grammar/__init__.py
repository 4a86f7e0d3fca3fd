"""Random programs as a user writes them: a grammar of weighted productions, and how a program is run on devices and held against the oracle."""
