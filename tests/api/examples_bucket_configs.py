from __future__ import annotations

from contract_world import Ask, World, example


def _examples(kind: str, switch: str) -> None:
    """Examples of a setting that names a bucket."""
    body = {switch: True, "obs_bucket_name": "conversations", "obs_endpoint": "https://store.example:9000"}

    def forgotten(world: World) -> Ask:
        world.do(f"delete_{kind}", Ask())
        return Ask(body=body)

    def there(ask: Ask, world: World) -> Ask:
        world.do(f"create_{kind}")
        return ask

    example(f"create_{kind}")(forgotten)
    example(f"show_{kind}")(lambda world: there(Ask(), world))
    example(f"update_{kind}")(lambda world: there(Ask(body={**body, "obs_bucket_name": "others"}), world))
    example(f"delete_{kind}")(lambda world: there(Ask(), world))


_examples("audio_record_config", "enable_audio_record")
_examples("dialog_report_config", "enable_dialog_report")
