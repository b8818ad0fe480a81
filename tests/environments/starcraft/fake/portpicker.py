"""As much of portpicker as the engine of StarCraft II asks for."""

reserved: list[int] = []


def add_reserved_port(port: int) -> None:
    reserved.append(port)
