"""Who trains now and what holds for everybody, for whoever knows the passphrase."""

from dpdash.ui.room import show_passphrase_form, show_room
from dpdash.ui.service import owner
from dpdash.ui.teacher import is_teacher

if is_teacher(owner()):
    show_room()
else:
    show_passphrase_form()
