"""The life of jobs: start, stop, and what their workers tell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from visavis import log
from visavis.api.metrics import Metrics
from visavis.api.services import answers, scene, spec, wordlists
from visavis.api.services.assets import Assets
from visavis.api.services.briefing import briefed
from visavis.api.services.pictures import Pictures
from visavis.api.services.reporting import Reports
from visavis.api.services.robots import may_use, of_job
from visavis.contract.base import published, spoken
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.jobs import IllegalEventError, JobEventType, ending
from visavis.contract.media_types import default_subtitle
from visavis.contract.robots import THIRD_PARTY_DRIVEN
from visavis.contract.rooms import room_defaults
from visavis.contract.smart_chat_jobs import StartJob, parse_extend_param
from visavis.dispatch.types import Dispatcher, JobNotRunning, NoCapacity, SignalRefused
from visavis.rtc.ice import ice_servers
from visavis.session.signals import SessionCommand
from visavis.session.spec import IceServer, JobSpec, RtcUser, VideoSpec
from visavis.settings import Settings
from visavis.store import identity, rooms
from visavis.store import jobs as store
from visavis.store.database import Database
from visavis.store.jobs import Detail, Job
from visavis.store.robots import Robot
from visavis.store.rooms import Room

_log = log.get(__name__)

_USER_TYPES = ("INFERENCE_USER", "END_USER", "PLAYER")
"""Who can join a job's RTC room in this version. CAPTURE, ANIMATION and RENDER come with the camera."""

_STOP_WAIT_S = 5.0


@dataclass(slots=True)
class _Watch:
    """What the server holds of a running job besides its row."""

    finished: asyncio.Event
    spec: JobSpec
    link_timer: asyncio.TimerHandle | None = None

    def disarm(self) -> None:
        """The END_USER has linked, or the job is over."""
        if self.link_timer is not None:
            self.link_timer.cancel()
            self.link_timer = None


class JobService:
    """Starts and stops jobs, and keeps watch over those that run."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        dispatcher: Dispatcher,
        pictures: Pictures,
        assets: Assets,
        metrics: Metrics,
        clock: Callable[[], float],
        reports: Reports,
    ) -> None:
        self._reports = reports
        self._settings = settings
        self._database = database
        self._dispatcher = dispatcher
        self._scenes = scene.Scenes(pictures, assets)
        self._metrics = metrics
        self._clock = clock
        self._watches: dict[str, _Watch] = {}
        self._timeouts: set[asyncio.Task[None]] = set()

    # --- start -------------------------------------------------------------------------------------

    async def start(
        self,
        project_id: str,
        room_id: str,
        robot_id: str,
        body: StartJob,
        address: str,
        request_id: str,
        side_by_side: bool = False,
        app_user: str = "",
        from_page: bool = False,
    ) -> Job:
        """Place a new job in the room and on a worker.

        ``side_by_side``: a transparent picture is sent with its alpha beside it (else before a key colour).
        ``app_user``: the third-party user that it is started for. Rooms and robots of other such users are not there.
        ``from_page``: whoever sits before the page starts it: then nobody could have come to drive it.

        Raises:
            ApiError: of the room, the robot, extend_param, the concurrency, the capacity.
        """
        room = await rooms.get(self._database, project_id, room_id)
        if room is None or not may_use(app_user, room.app_user_id):
            raise ApiError(ErrorCode.ROOM_NOT_FOUND)
        extend = parse_extend_param(body.extend_param)
        robot = await of_job(self._database, room, robot_id, app_user)
        if robot is None and body.own_robot:
            raise ApiError(ErrorCode.ROBOT_NOT_FOUND, "the room has no robot")
        if from_page and robot is not None and robot.app_type == THIRD_PARTY_DRIVEN:
            raise ApiError(ErrorCode.DRIVEN_NOT_FROM_PAGE, "its owner starts it, and lets you join")
        video = spec.video_spec(room, side_by_side)
        given = room.settings.get("chat_subtitle_config") or {}
        subtitle = {**default_subtitle(video.width, video.height), **given}
        settings = {**room_defaults(), **room.settings}
        default_language = settings["default_language"]
        now = self._clock()
        job = Job(
            id=store.new_id(),
            project_id=project_id,
            room_id=room_id,
            robot_id=robot.id if robot else "",
            rtc_room_id=store.new_id(),
            users=[
                {"user_type": user_type, "user_id": f"{user_type.lower()}_{store.new_id()[:16]}"}
                for user_type in _USER_TYPES
            ],
            settings={
                "chat_subtitle_config": subtitle,
                "video_config": {"width": video.width, "height": video.height},
                "transparency": video.transparency,
                "render_mode": room.settings.get("render_mode") or "server",
                "talk_mode": spec.turn_taking(room).mode,
                "wake_words": spec.turn_taking(room).wake_words,
                "voice_config_list": spec.voices(room),
                "chat_video_type": settings["chat_video_type"],
                "default_language": default_language,
                "client_id": body.client_id or extend.client_id,
                "extend_param": body.extend_param or "",
                "chat_access_address": address,
            },
            language=published(spec.fixed_language(robot) or spoken(default_language)),
            created_at=now,
            updated_at=now,
            app_user_id=app_user,
        )
        job_spec = await self._spec(job, room, robot, video, request_id, app_user)
        await self._place(job)
        await self._dispatch(job, job_spec, app_user)
        return job

    async def _spec(
        self, job: Job, room: Room, robot: Robot | None, video: VideoSpec, request_id: str, app_user: str
    ) -> JobSpec:
        robot_spec = await briefed(
            self._database,
            self._settings,
            job.project_id,
            spec.robot_spec(robot, self._settings, extend_param=job.settings["extend_param"], app_user=app_user),
            job.language,
            app_user,
            spec.role_id(robot),
        )
        background, layers = await self._scenes.of(room)
        burned = spec.subtitle_spec(room)
        inference = next(user for user in job.users if user["user_type"] == "INFERENCE_USER")
        servers = ice_servers(self._settings, inference["user_id"], self._clock())
        return JobSpec(
            job_id=job.id,
            project_id=job.project_id,
            room_id=room.id,
            request_id=request_id,
            rtc_room_id=job.rtc_room_id,
            users=[RtcUser.model_validate(user) for user in job.users],
            avatar_id=room.settings.get("model_asset_id") or "default",
            avatar_file=await self._scenes.pack(room),
            voices=await wordlists.with_words(
                self._database,
                self._settings.data,
                job.project_id,
                spec.voice_specs(room),
                (room.settings.get("video_config") or {}).get("is_vocabulary_config_enable"),
                app_user,
            ),
            video=video,
            background=background,
            layers=layers,
            burned=burned,
            robot=robot_spec,
            turn_taking=spec.turn_taking(room),
            language=spec.fixed_language(robot),
            default_language=spoken(job.settings["default_language"]),
            # What is in the picture is not drawn over it once more.
            subtitles=burned is None and (room.settings.get("video_config") or {}).get("is_subtitle_enable", True),
            semantic_actions=bool(room.settings.get("enable_semantic_action")),
            sleep_after_s=self._settings.sleep_after_s,
            sleep_warning_s=self._settings.sleep_warning_s,
            exit_mute_threshold_s=float(room.settings.get("exit_mute_threshold", 0)),
            exit_warning_s=self._settings.exit_warning_s,
            ice_servers=[IceServer.model_validate(server.as_dict()) for server in servers],
        )

    async def _place(self, job: Job) -> None:
        try:
            await store.place(self._database, job)
        except store.RoomFullError as error:
            self._metrics.jobs_refused.labels(ErrorCode.CONCURRENCY_EXCEEDED.code).inc()
            raise ApiError(ErrorCode.CONCURRENCY_EXCEEDED, str(error)) from None
        except store.RoomGoneError:
            raise ApiError(ErrorCode.ROOM_NOT_FOUND) from None

    async def _dispatch(self, job: Job, job_spec: JobSpec, app_user: str) -> None:
        self._watch(job, job_spec)
        refused: ErrorCode | None = ErrorCode.START_FAILED
        try:
            await self._dispatcher.start(await self._reports.begin(job, job_spec, app_user))
            refused = None
        except NoCapacity:
            refused = ErrorCode.RESOURCE_FULL
            raise ApiError(refused) from None
        finally:
            # Whatever went wrong, a job that no worker took must not hold a place in its room.
            if refused is not None:
                self._metrics.jobs_refused.labels(refused.code).inc()
                await self._happen(
                    job.id, JobEventType.REFUSED, Detail(error_code=refused.code, error_msg=refused.message)
                )
        self._metrics.jobs_started.inc()

    # --- stop --------------------------------------------------------------------------------------

    async def stop(self, job: Job) -> None:
        """End the job; returns when it has ended (or after 5 s, when its worker does not answer).

        Raises:
            ApiError: it has ended already.
        """
        try:
            current = await store.apply(self._database, job.id, JobEventType.STOP, self._clock())
        except IllegalEventError:
            raise ApiError(ErrorCode.DIALOG_FINISHED) from None
        linked = current.linked if current else job.linked
        watch = self._watches.get(job.id)
        try:
            await self._dispatcher.stop(job.id, "NORMAL" if linked else "CANCELED")
        except JobNotRunning:
            await self._end(job.id, "NORMAL", Detail())
            return
        if watch is not None:
            try:
                async with asyncio.timeout(_STOP_WAIT_S):
                    await watch.finished.wait()
            except TimeoutError:
                _log.warning("job_stop_slow", job_id=job.id)

    # --- wake --------------------------------------------------------------------------------------

    async def wake(self, job: Job, wakeup_type: str) -> None:
        """Wake the digital human, or keep it awake: somebody is there.

        Raises:
            ApiError: the job has ended, or no worker holds it.
        """
        if job.state.final:
            raise ApiError(ErrorCode.DIALOG_FINISHED)
        try:
            await self._dispatcher.command(job.id, SessionCommand(kind="wake", text=wakeup_type))
        except JobNotRunning:
            raise ApiError(ErrorCode.STATE_UNAVAILABLE, "no worker holds the job") from None
        except SignalRefused as error:  # its session ends in this moment
            raise ApiError(ErrorCode.STATE_UNAVAILABLE, str(error)) from None

    # --- show --------------------------------------------------------------------------------------

    async def rtc_room(self, job: Job, only_types: tuple[str, ...] = ()) -> answers.Answer:
        """The job's RTC room as answers show it."""
        key = await identity.rtc_key(self._database, job.project_id)
        return answers.rtc_room(job, key, self._settings.rtc_token_ttl_s, self._clock(), only_types)

    def spec_of(self, job: Job) -> JobSpec | None:
        """What the job's worker was told; None: the job is over."""
        watch = self._watches.get(job.id)
        return watch.spec if watch else None

    async def show(self, job: Job, only_types: tuple[str, ...] = ()) -> answers.Answer:
        """The answer of the state call."""
        return answers.shown(job, await self.rtc_room(job, only_types), self._clock())

    # --- what happens to jobs ------------------------------------------------------------------------

    async def abandon(self, why: str) -> None:
        """End as FAILED what a server left behind: at the start, or after the dispatcher closed."""
        detail = Detail(error_code=ErrorCode.HEARTBEAT_FAILED.code, error_msg=why)
        for job in await store.fail_active(self._database, self._clock(), detail):
            self._ended(job)

    async def held(self, job_id: str) -> None:
        """A worker holds the job."""
        await self._happen(job_id, JobEventType.HELD)

    async def heartbeat(self, job_id: str) -> bool:
        """Its worker is alive. False: the job does not run."""
        return await self._happen(job_id, JobEventType.HEARTBEAT) is not None

    async def chat_state(self, job_id: str, chat_state: int) -> None:
        """The conversation's state changed."""
        job = await self._happen(job_id, JobEventType.CHAT_STATE, Detail(chat_state=chat_state))
        if job is not None and job.linked and (watch := self._watches.get(job_id)):
            watch.disarm()

    async def language(self, job_id: str, language: str) -> None:
        """The conversation's language, as the last turn was held in."""
        if language in ("en", "zh"):
            await self._happen(job_id, JobEventType.LANGUAGE, Detail(language="EN" if language == "en" else "CN"))

    async def finished(self, job_id: str, reason: str, detail: Detail) -> None:
        """Its worker is done with it."""
        if reason == "FAILED" and not detail.error_code:
            code = ErrorCode.WORKER_FAILED
            detail = Detail(error_code=code.code, error_msg=detail.error_msg or code.message)
        await self._end(job_id, reason, detail)

    async def _end(self, job_id: str, reason: str, detail: Detail) -> None:
        job = await store.by_id(self._database, job_id)
        if job is not None:
            await self._happen(job_id, ending(job.linked, reason), detail)

    async def _happen(self, job_id: str, event: JobEventType, detail: Detail | None = None) -> Job | None:
        try:
            job = await store.apply(self._database, job_id, event, self._clock(), detail)
        except IllegalEventError as error:
            _log.warning("job_event_refused", job_id=job_id, event_type=event.value, state=error.state.value)
            return None
        if job is None:
            _log.warning("job_event_of_unknown_job", job_id=job_id, event_type=event.value)
        elif job.state.final:
            self._ended(job)
        return job

    def _ended(self, job: Job) -> None:
        self._metrics.finished(job.id, job.state.value)
        self._reports.wake()
        if watch := self._watches.pop(job.id, None):
            watch.disarm()
            watch.finished.set()
        _log.info(
            "job_ended",
            job_id=job.id,
            project_id=job.project_id,
            room_id=job.room_id,
            state=job.state.value,
            reason=job.finish_reason,
            error_code=job.error_code,
            duration=job.duration(self._clock()),
        )

    # --- the watch for jobs that nobody links to ------------------------------------------------------

    def _watch(self, job: Job, job_spec: JobSpec) -> None:
        loop = asyncio.get_running_loop()
        watch = _Watch(asyncio.Event(), job_spec)
        watch.link_timer = loop.call_later(self._settings.link_timeout_s, self._link_timed_out, job)
        self._watches[job.id] = watch

    def _link_timed_out(self, job: Job) -> None:
        task = asyncio.get_running_loop().create_task(self._cancel_unlinked(job))
        self._timeouts.add(task)
        task.add_done_callback(self._timeouts.discard)

    async def _cancel_unlinked(self, job: Job) -> None:
        _log.info("job_link_timeout", job_id=job.id, project_id=job.project_id)
        try:
            await self.stop(job)
        except ApiError:
            return  # it ended meanwhile

    async def close(self) -> None:
        """Forget the watches. The dispatcher has been closed: nothing runs any more."""
        for watch in self._watches.values():
            watch.disarm()
        for task in list(self._timeouts):
            task.cancel()
        await asyncio.gather(*self._timeouts, return_exceptions=True)

    async def drained(self) -> None:
        """Wait until every job of this server has ended."""
        for watch in list(self._watches.values()):
            await watch.finished.wait()
