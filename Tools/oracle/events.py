"""Write, with TensorBoard's own writer, the event file that EventFileTests expects."""
import base64, io, sys
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

pixel = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAtHPo1gAAAABJRU5ErkJggg==")
events = [
    Event(wall_time=1000.5, file_version="brain.Event:2"),
    Event(wall_time=1001.0, step=5, session_log=SessionLog(status=SessionLog.START)),
    Event(wall_time=1001.5, step=5, summary=Summary(value=[
        Summary.Value(tag="loss", simple_value=0.25), Summary.Value(tag="rate", simple_value=1e-3)])),
    Event(wall_time=1002.0, step=6, summary=Summary(value=[Summary.Value(tag="samples", image=Summary.Image(
        height=1, width=1, colorspace=1, encoded_image_string=pixel))])),
]
file = io.BytesIO()
writer = RecordWriter(file)
for event in events:
    writer.write(event.SerializeToString())
writer.flush()
sys.stdout.write(base64.b64encode(file.getvalue()).decode() + "\n")
