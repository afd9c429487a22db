"""Examples of rooms."""

from __future__ import annotations

from contract_world import Ask, World, crud, fill

SIZE = {"width": 720, "height": 1280, "clip_mode": "RESIZE"}
OURS = dict.fromkeys(
    ("render_mode", "talk_mode", "wake_words", "echo_cancellation"), "the SDK does not read it: it is ours"
)
SOLD = OURS | {
    f"chat_resource_config.{name}": "nothing is sold here: what was given is kept"
    for name in (
        "charge_mode",
        "expire_time",
        "resource_available_nums",
        "resource_nums",
        "resource_source",
        "status",
    )
}


def _made(world: World) -> Ask:
    letters = fill("SubtitleConfig", font_color="#FFFFFF", stroke_color="#000000", font_name="sans")
    text = {"text_context": "aGVsbG8=", "font_color": "#FF0000"}
    layer = fill(
        "LayerConfig",
        layer_type="TEXT",
        image_config=fill("ImageLayerConfig", image_url="https://pictures.example/a.png"),
        video_config=fill(
            "VideoLayerConfig",
            video_url="https://pictures.example/a.mp4",
            video_cover_url="https://pictures.example/a.jpg",
        ),
        text_config=fill("TextLayerConfig", **text),
    )
    background = fill(
        "BackgroundConfigInfo",
        background_type="COLOR",
        background_color_config="#102030",
        background_config="https://pictures.example/b.png",
    )
    body = fill(
        "CreateSmartChatRoomReq",
        room_name="Lobby",
        room_description="By the door",
        concurrency=2,
        robot_id=world.robot(),
        model_asset_id="anny",
        video_config=fill("VideoConfig", **SIZE, bitrate=2500, subtitle_config=letters),
        voice_config=fill("VoiceConfig", voice_asset_id="zh-lin"),
        voice_config_list=[fill("ChatVoiceConfig", voice_asset_id="en-amy", language="EN")],
        default_language="EN",
        background_config=background,
        layer_config=[layer],
    )
    return Ask(body=body)


def _list_absent() -> dict[str, str]:
    return {"smart_chat_rooms.model_infos.backup_model_asset_ids": "there is one avatar, and it does not fail"}


crud(
    "room_id",
    _made,
    create="create_smart_chat_room",
    list="list_smart_chat_rooms",
    show="show_smart_chat_room",
    update="update_smart_chat_room",
    delete="delete_smart_chat_room",
    absent={
        "list_smart_chat_rooms": _list_absent(),
        "show_smart_chat_room": SOLD,
        "update_smart_chat_room": SOLD,
    },
)
