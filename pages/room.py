"""Who trains now and what holds for everybody, for whoever knows the passphrase."""

from dpdash.ui.room.page import show_passphrase_form, show_room
from dpdash.web.process import owner
from dpdash.web.teacher import is_teacher

if is_teacher(owner()):
    show_room()
else:
    show_passphrase_form()
