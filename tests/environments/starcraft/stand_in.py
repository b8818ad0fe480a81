"""Stands in for the program of StarCraft II: speaks its protocol, plays something much simpler.

    stand_in.py -listen 127.0.0.1 -port PORT -dataDir FOLDER/ -tempDir OTHER/ …

SMAC's map that it is asked for is played with the units and places of skirmish: who is told to
attack walks until its target is near and then hits it in every loop; enemies go for the nearest
agent. As on SMAC's maps the battle begins anew when no unit is left.

`FOLDER/orders` makes it fail: a file `die-10` there ends it at its tenth step, `hang-10` makes it
silent, `die-0` keeps it from starting; the file is removed first, so that the next one goes on.
While there is a file `peace`, enemies do nothing.
`FOLDER/games` gets a file per process, named by its id, with one line for each game created: the
seed, the port, and the folder for temporary files.
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any

os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"
from s2clientprotocol import sc2api_pb2 as protocol

from suite.environments.skirmish.scenario import Scenario, load_scenario

ARGUMENTS = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
FOLDER = Path(ARGUMENTS["-dataDir"])
REACH, SPEED, HEALING = 5.0, 0.2, 0.8  # cells, cells per loop, points per loop
DAMAGE = {1: 1.5, 2: 0.5}  # points per loop, of agents and enemies
FIRST_ALLY_TYPE = 1970  # SMAC's own units; any number does


class Battle:
    """Units by tag, and what each is told to do."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario, self.loop, self.n_steps, self.next_tag = scenario, 0, 0, 1
        self.begin()

    def begin(self) -> None:
        self.units: dict[int, Any] = {}
        self.targets: dict[int, Any] = {}
        kinds = {name: i for i, name in enumerate(self.scenario.ally_type_order)}
        for owner, side in ((1, self.scenario.allies), (2, self.scenario.enemies)):
            for placed in side:
                kind = self.scenario.types[placed.type_name]
                number = FIRST_ALLY_TYPE + kinds[kind.name] if owner == 1 else kind.type_id
                unit = protocol.ResponseObservation().observation.raw_data.units.add(
                    tag=self.next_tag,
                    owner=owner,
                    unit_type=number,
                    health=kind.health,
                    health_max=kind.health,
                    shield=kind.shield,
                    shield_max=kind.shield,
                    is_flying=kind.layer == "air",
                    radius=kind.radius,
                )
                unit.pos.x, unit.pos.y = placed.x, placed.y
                self.units[self.next_tag] = unit
                self.next_tag += 1

    def advance(self, n_loops: int) -> None:
        self.n_steps += 1
        for _ in range(n_loops):
            self.loop += 1
            if not self.units:
                self.begin()
            for tag in list(self.units):
                if tag in self.units:
                    self._act(self.units[tag])

    def _act(self, unit: Any) -> None:
        target = self.targets.get(unit.tag)
        if unit.owner == 2:
            is_peace = (FOLDER / "orders" / "peace").exists()
            agents = [one for one in self.units.values() if one.owner == 1 and not is_peace]
            target = min(agents, key=lambda one: distance(unit, one)).tag if agents else None
        if isinstance(target, int):
            if target not in self.units:
                return
            hit = self.units[target]
            if distance(unit, hit) > REACH:
                self._walk(unit, hit.pos.x, hit.pos.y)
            elif hit.owner == unit.owner:
                hit.health = min(hit.health_max, hit.health + HEALING)
            else:
                damage = DAMAGE[unit.owner]
                hit.health -= max(0.0, damage - hit.shield)
                hit.shield = max(0.0, hit.shield - damage)
                if hit.health <= 0:
                    del self.units[target]
        elif target is not None:
            self._walk(unit, *target)

    def _walk(self, unit: Any, x: float, y: float) -> None:
        dx, dy = x - unit.pos.x, y - unit.pos.y
        far = max(SPEED, (dx * dx + dy * dy) ** 0.5)
        unit.pos.x = min(31.0, max(1.0, unit.pos.x + dx / far * SPEED))
        unit.pos.y = min(31.0, max(1.0, unit.pos.y + dy / far * SPEED))

    def command(self, order: Any) -> None:
        for tag in order.unit_tags:
            if order.HasField("target_unit_tag"):
                self.targets[tag] = order.target_unit_tag
            elif order.HasField("target_world_space_pos"):
                place = order.target_world_space_pos
                self.targets[tag] = (place.x, place.y)
            else:
                self.targets.pop(tag, None)


def distance(one: Any, other: Any) -> float:
    return float(((one.pos.x - other.pos.x) ** 2 + (one.pos.y - other.pos.y) ** 2) ** 0.5)


class Game:
    """Answers requests; see the protocol's documentation."""

    def __init__(self) -> None:
        self.status, self.battle = protocol.launched, None

    def answer(self, request: Any) -> Any:
        kind = request.WhichOneof("request")
        response = protocol.Response(id=request.id)
        getattr(response, kind).SetInParent()
        getattr(self, kind)(getattr(request, kind), getattr(response, kind))
        response.status = self.status
        return response

    def ping(self, asked: Any, told: Any) -> None:
        told.game_version, told.base_build = "4.10.0", 75689

    def create_game(self, asked: Any, told: Any) -> None:
        name = Path(asked.local_map.map_path).stem
        if asked.local_map.map_data != (FOLDER / "Maps" / asked.local_map.map_path).read_bytes():
            raise ValueError("another map")
        with (FOLDER / "games" / str(os.getpid())).open("a") as file:
            print(asked.random_seed, ARGUMENTS["-port"], ARGUMENTS["-tempDir"], file=file)
        self.status, self.battle = protocol.init_game, Battle(load_scenario(name))

    def join_game(self, asked: Any, told: Any) -> None:
        self.status, told.player_id = protocol.in_game, 1

    def game_info(self, asked: Any, told: Any) -> None:
        raw = told.start_raw
        raw.map_size.x = raw.map_size.y = 32
        raw.playable_area.p1.x = raw.playable_area.p1.y = 32
        raw.pathing_grid.bits_per_pixel, raw.pathing_grid.data = 1, b"\xff" * 128
        raw.terrain_height.bits_per_pixel, raw.terrain_height.data = 8, b"\x80" * 1024

    def observation(self, asked: Any, told: Any) -> None:
        assert self.battle is not None
        told.observation.game_loop = self.battle.loop
        told.observation.raw_data.units.extend(self.battle.units.values())

    def action(self, asked: Any, told: Any) -> None:
        for one in asked.actions:
            self.battle.command(one.action_raw.unit_command)

    def step(self, asked: Any, told: Any) -> None:
        assert self.battle is not None
        self.battle.advance(asked.count)
        obey_orders(self.battle.n_steps)

    def debug(self, asked: Any, told: Any) -> None:
        for command in asked.debug:
            for tag in command.kill_unit.tag:
                self.battle.units.pop(tag, None)


def obey_orders(n_steps: int) -> None:
    for how in ("die", "hang"):
        try:
            (FOLDER / "orders" / f"{how}-{n_steps}").unlink()
        except FileNotFoundError:  # or another game was told so
            continue
        if how == "die":
            os._exit(1)
        time.sleep(3600)


def serve(connection: socket.socket) -> None:
    """A WebSocket server for one client (RFC 6455)."""
    stream, game = connection.makefile("rb"), Game()
    lines = list(iter(lambda: stream.readline().strip(), b""))
    key = next(
        line.split(b": ")[1] for line in lines if line.lower().startswith(b"sec-websocket-key")
    )
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )
    while head := stream.read(2):
        kind, size = head[0] & 15, head[1] & 127
        if size > 125:
            size = int.from_bytes(stream.read(2 if size == 126 else 8), "big")
        mask, masked = stream.read(4), stream.read(size)
        payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(masked))
        request = protocol.Request.FromString(payload) if kind in (1, 2) else None
        if request is None or request.WhichOneof("request") == "quit":
            return
        answer = game.answer(request).SerializeToString()
        length = len(answer)
        frame = bytes([length]) if length < 126 else b"\x7e" + struct.pack(">H", length)
        connection.sendall(
            b"\x82" + (frame if length < 2**16 else b"\x7f" + struct.pack(">Q", length)) + answer
        )


def main() -> None:
    obey_orders(0)
    (FOLDER / "games" / str(os.getpid())).touch()
    with socket.create_server(("127.0.0.1", int(ARGUMENTS["-port"]))) as server:
        serve(server.accept()[0])


if __name__ == "__main__":
    main()
