"""safetensors in a bucket, by obstore: a file made in memory and put there, and got whole and copied.

The store sends and takes no checksums, and does not sign bodies, as it is fastest. Its upload has as many parts at
once, and as long ones, as the others.
"""

import numpy
import obstore
from obstore.store import S3Store
from safetensors.numpy import load as parse
from safetensors.numpy import save as serialize

import protocol
import state as states

arrays = {}
store = None


def load(spec):
    global arrays
    arrays = states.build(spec)
    return sum(array.nbytes for array in arrays.values())


def connect(endpoint, bucket, region, accessKeyId, secretAccessKey):
    global store
    store = S3Store(
        bucket,
        endpoint=endpoint,
        region=region,
        access_key_id=accessKeyId,
        secret_access_key=secretAccessKey,
        virtual_hosted_style_request=False,
        unsigned_payload=True,
        client_options={"allow_http": True, "timeout": "10m"},
    )


def save(name, atOnce, length):
    def run():
        obstore.put(store, name, serialize(arrays), chunk_size=length, max_concurrency=atOnce)

    return protocol.timed(run)[0]


def restore(name):
    states.wipe(arrays)

    def run():
        loaded = parse(bytes(obstore.get(store, name).bytes()))
        for key, array in arrays.items():
            numpy.copyto(array, loaded[key])

    seconds, _ = protocol.timed(run)
    states.check(arrays)
    return seconds


protocol.serve({"load": load, "connect": connect, "save": save, "restore": restore})
