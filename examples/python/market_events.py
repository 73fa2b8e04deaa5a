"""Reads and publishes the market's events from outside, with the public CloudEvents and NATS libraries.

    python market_events.py read order --count 5
    python market_events.py points USER_ID 120

`read` follows a context as a consumer of its own: it is told everything from the beginning of the
stream, once the events that it took are acknowledged it goes on after them. `points` stands in for a
loyalty programme: it publishes loyalty.points.changed.v1, which user and notification react to.
"""

import argparse
import asyncio
import json
import uuid
from datetime import datetime, timezone

import nats
from cloudevents.core.bindings.http import HTTPMessage, from_binary_event, to_binary_event
from cloudevents.core.v1.event import CloudEvent
from nats.js.api import AckPolicy, ConsumerConfig

# On NATS the attributes are headers, `ce-…` and percent-encoded, as they are on HTTP: that binding of
# the library fits.


async def read(arguments):
    """Prints events, and acknowledges each once it is printed."""
    client = await nats.connect(arguments.server)
    stream = client.jetstream()
    consumer = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT)
    durable = f"{arguments.name}-{arguments.context}"
    subscription = await stream.pull_subscribe(f"{arguments.context}.>", durable, config=consumer)
    seen = 0
    while arguments.count is None or seen < arguments.count:
        try:
            messages = await subscription.fetch(arguments.count - seen if arguments.count else 64, timeout=5)
        except nats.errors.TimeoutError:
            continue
        for message in messages:
            event = from_binary_event(HTTPMessage(headers=dict(message.headers), body=message.data))
            shown = {"id": event.get_id(), "type": event.get_type(), "subject": event.get_subject()}
            print(json.dumps(shown | {"data": event.get_data()}, ensure_ascii=False), flush=True)
            await message.ack()
            seen += 1
    await client.close()


async def points(arguments):
    """Publishes a change of somebody's points, and waits until the broker has it."""
    now = datetime.now(timezone.utc)
    event_id = str(uuid.uuid4())
    event = CloudEvent(
        attributes={
            "specversion": "1.0",
            "id": event_id,
            "source": "loyalty",
            "type": "loyalty.points.changed.v1",
            "subject": arguments.user,
            "time": now,
            "datacontenttype": "application/json",
            "correlationid": event_id,
            "causationid": event_id,
            "sequence": str(int(now.timestamp() * 1000)),
        },
        data={
            "userId": arguments.user,
            "delta": arguments.points,
            "balance": arguments.points,
            "reason": "welcome",
            "orderId": None,
            "changedAt": now.isoformat().replace("+00:00", "Z"),
        },
    )
    message = to_binary_event(event)
    client = await nats.connect(arguments.server)
    # The event's id is the message's: publishing it again within two minutes makes one event.
    headers = {**message.headers, "Nats-Msg-Id": event_id}
    stored = await client.jetstream().publish("loyalty.points.changed.v1", message.body, headers=headers)
    print(json.dumps({"id": event_id, "stream": stored.stream, "sequence": stored.seq}))
    await client.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="nats://127.0.0.1:4222")
    commands = parser.add_subparsers(required=True)
    reading = commands.add_parser("read", help="prints the events of a context")
    reading.add_argument("context", help="order, inventory, payment …")
    reading.add_argument("--count", type=int, help="ends after so many")
    reading.add_argument("--name", default="python", help="the consumer's name: each name is told everything once")
    reading.set_defaults(run=read)
    publishing = commands.add_parser("points", help="publishes loyalty.points.changed.v1")
    publishing.add_argument("user", type=lambda text: str(uuid.UUID(text)))
    publishing.add_argument("points", type=int)
    publishing.set_defaults(run=points)
    arguments = parser.parse_args()
    asyncio.run(arguments.run(arguments))


if __name__ == "__main__":
    main()
