# The whole suite in one image: run_all.py with API and dashboard; another command runs one part alone.
# Nothing is compiled: every package comes as a wheel. docs/growth.md says what was tried and what was not.
FROM python:3.11-slim-bookworm

WORKDIR /app
COPY requirements.lock requirements-postgres.lock requirements-s3.lock ./
RUN pip install --no-cache-dir --only-binary :all: --require-hashes -r requirements.lock -r requirements-postgres.lock \
        -r requirements-s3.lock && \
    install -d -m 700 -o 10001 -g 10001 /var/lib/crypto-forecasting
COPY . .

# The root file system may be read-only: all that is written lies in the volume, and in /tmp.
ENV CRYPTO_HOST=0.0.0.0 \
    CRYPTO_BROWSER=false \
    CRYPTO_DATA_DIR=/var/lib/crypto-forecasting/data \
    CRYPTO_MODELS_DIR=/var/lib/crypto-forecasting/models \
    CRYPTO_ALERTS_FILE=/var/lib/crypto-forecasting/alerts.toml \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
VOLUME /var/lib/crypto-forecasting
EXPOSE 8000 8501
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000, timeout=5); c.request('GET', '/saude'); exit(c.getresponse().status != 200)"]
CMD ["python", "run_all.py"]
