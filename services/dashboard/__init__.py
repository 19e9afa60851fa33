"""The web page that shows the fleet, its plans and the reasons for them."""
