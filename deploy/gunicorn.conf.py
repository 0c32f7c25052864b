"""gunicorn for the web server alone: `SANUM_SERVICE=/etc/sanum/service.json gunicorn -c deploy/gunicorn.conf.py`.

`sanum serve` starts gunicorn by itself; this file is for those who run gunicorn under their own supervisor, with
`sanum worker` beside it. The JSON file holds the fields of `sanum.service.launch.ServeConfig`.
"""

wsgi_app = "sanum.service.wsgi:application()"
bind = "127.0.0.1:8417"
worker_class = "sanum.service.web_worker.DeadlineWorker"  # threads, and no head that trickles in
workers = 1
threads = 64  # each upload, stream of events and waiting prediction holds one; some are always left
timeout = 120
graceful_timeout = 30
keepalive = 5
limit_request_line = 4094
limit_request_fields = 50
preload_app = False  # torch does not survive a fork
worker_tmp_dir = "/dev/shm"
