"""The only composer: each verb joins the rooms into one job, for the command line, Python and the service."""
